"""`reprocheck resume`: is stopping and starting again equal to never stopping?"""
