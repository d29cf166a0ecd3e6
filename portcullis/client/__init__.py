"""asyncio clients for scripts, tools and tests."""
