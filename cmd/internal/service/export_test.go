package service

// Models is models, for tests.
var Models = models

// Refusal is refusal, for tests.
var Refusal = refusal
