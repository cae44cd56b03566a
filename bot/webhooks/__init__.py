"""HTTP webhooks: verified, stored, answered."""
