"""Look for groups: from what units did to clusters, their stability, their profiles and what drives them."""
