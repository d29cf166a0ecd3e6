"""What Portcullis costs: each module here has `measure(size)`, which gives Figures.

`size` counts orders (or rows, where no orders are). Small sizes serve the test suite, which only
asks that the benchmark still runs and that its own checks hold; figures come from `portcullis
bench`. No figure is compared by a test: machines differ, budgets are for people to look at.
"""
