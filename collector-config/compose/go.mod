module replymeter.invalid/compose

go 1.26

// Docker Compose, the real one, to check compose.yaml by; `make compose` builds it.
require github.com/docker/compose/v2 v2.40.3 // indirect
