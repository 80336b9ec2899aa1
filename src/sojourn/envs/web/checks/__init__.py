"""How an end is judged without a judge: answers by what they are, states by what is different, addresses by meaning."""
