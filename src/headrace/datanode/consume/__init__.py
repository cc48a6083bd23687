"""Stage 1, consume: read each pchannel once, deal its entries out, drop what is stored already."""
