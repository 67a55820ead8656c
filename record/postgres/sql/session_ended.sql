-- Tells whether a session was ended.
SELECT EXISTS (SELECT FROM ended_sessions WHERE id = @id AND expires > now())
