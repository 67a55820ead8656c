-- Counts the images that are worked on, by the lane of their task.
SELECT task_lane, count(*) FROM images WHERE status = 'processing' GROUP BY task_lane
