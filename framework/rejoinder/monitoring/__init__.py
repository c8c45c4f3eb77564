"""What is watched in a tenant's stream: trends over time, changes that raise alerts, their delivery, and what people say of them."""
