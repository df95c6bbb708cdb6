"""Operations whose result depends on the order of their threads, or on the library's choice."""
