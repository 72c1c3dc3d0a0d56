DELETE FROM plans WHERE id = ANY(?::text[])
