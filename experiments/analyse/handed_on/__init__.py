"""What a final analysis hands on to the behaviour that it tested: moments that can be pooled with others."""
