"""Colours and markers of all pictures."""

# Okabe and Ito's palette, told apart in colour blindness, without its yellow, which white swallows; the markers tell
# things apart without any colour.
BLACK, GREY, LIGHT, SKY, BLUE, RED = "#000000", "#707070", "#B8B8B8", "#56B4E9", "#0072B2", "#D55E00"
COLOURS = (BLUE, RED, "#009E73", "#CC79A7", "#E69F00", SKY, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
