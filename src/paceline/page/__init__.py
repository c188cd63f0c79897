"""How a page looks: cells of tables, ink of figures, and one HTML file that stands alone."""
