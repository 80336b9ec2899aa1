"""Tasks on the seven sites: templates with their truth in SQL, checks without a judge, and experts."""
