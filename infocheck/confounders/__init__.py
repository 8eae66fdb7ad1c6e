"""What is recorded of the rows beside the genes: whose variance is it, and whose edges?"""
