module github.com/ai-worker/ai-worker

go 1.26.0
