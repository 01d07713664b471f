"""From an order to a relay contact, with limits that hold when the orders stop."""
