-- Returns a row if a claim moved its image to a state, and nothing has moved it
-- since.
SELECT idx FROM images WHERE job_id = @id AND idx = @idx AND claim = @claim AND status = @to
