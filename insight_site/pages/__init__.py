"""Pages that belong to no app: home, glossary, language, health and errors."""
