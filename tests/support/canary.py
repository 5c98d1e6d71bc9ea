"""The provider key of all tests. It looks like no real one, and must turn up nowhere but at the provider."""

CANARY = "canary-invented-key-5f1c-must-never-be-seen"
