-- Notes a try to log in, unless so many of its user, or from its address, failed
-- of late. Runs under the locks of both. Returns NULL if it noted the try, or else
-- for how long it will not. Also forgets tries of which none counts any more.
WITH recent AS (
    (SELECT at FROM login_tries WHERE user_name = @user AND at > now() - @window::interval
     ORDER BY at DESC OFFSET @most::int - 1 LIMIT 1)
    UNION ALL
    (SELECT at FROM login_tries WHERE address = @address AND at > now() - @window::interval
     ORDER BY at DESC OFFSET @most::int - 1 LIMIT 1)
), noted AS (
    INSERT INTO login_tries (id, at, user_name, address)
    SELECT @id, now(), @user, @address WHERE NOT EXISTS (SELECT FROM recent)
), forgotten AS (
    DELETE FROM login_tries WHERE id IN (
        SELECT id FROM login_tries WHERE at <= now() - @window::interval ORDER BY at LIMIT 100 FOR UPDATE SKIP LOCKED
    )
)
SELECT max(at) + @window::interval - now() FROM recent
