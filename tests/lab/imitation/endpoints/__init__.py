"""What is imitated, by subject. Importing this fills the table in routes.py."""

from . import account, actions, droplets, firewalls, offers, tags, vpcs

__all__ = ["account", "actions", "droplets", "firewalls", "offers", "tags", "vpcs"]
