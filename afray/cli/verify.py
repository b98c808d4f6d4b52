"""`afray verify`: does an output still match its certificate, and does the selection come out again?"""
