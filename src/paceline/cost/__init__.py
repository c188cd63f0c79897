"""One definition of cost: shortfall and its parts, other measures, and models of impact."""
