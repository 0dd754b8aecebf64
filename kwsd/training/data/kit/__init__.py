"""The kit: voices, noise and speech that `kwsd new` needs, fetched once into a folder of the user."""
