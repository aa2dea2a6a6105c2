"""`corpus fetch`: downloads from public archives that go on where they stopped, checked and with their licences."""
