"""From a picture and a bundle of networks to a restored picture."""
