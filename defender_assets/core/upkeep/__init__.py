"""What keeps a lake quick: few files, old days gone, dead files deleted. What rows say stays as it is."""
