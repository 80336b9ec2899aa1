"""Deep search: answer questions by searching a corpus for as many turns as it takes."""
