"""SMS and phone: whom they reach, what they say, and the services that carry it."""
