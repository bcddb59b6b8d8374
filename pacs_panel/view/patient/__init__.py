"""The Patient page: who, a timeline of studies, what each holds, and what people said of it."""
