"""A document as one HTML file: elements, drawings, style, and what a script adds."""
