"""What is wrong with a picture: deep representations, generalised Gaussian signatures, distances between them."""
