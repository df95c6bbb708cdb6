def standardize(table):
    return (table - table.mean(0)) / table.std(0)
