"""The protocol in a virtual world: virtual time, links, crashes and adversaries."""
