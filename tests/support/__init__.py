"""Small pieces that several tests share."""
