"""DigitalOcean: the way to its API, an account's words, what a study has there, and renting machines."""
