"""What people do in a virtual network."""
