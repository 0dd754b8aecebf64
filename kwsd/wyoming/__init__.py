"""A wake-word service for Home Assistant and other clients that speak the Wyoming protocol."""
