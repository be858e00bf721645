build: ## Build bin/sweep
	go build -o bin/sweep ./cmd/sweep
test: ## Run the tests
	go test ./...
