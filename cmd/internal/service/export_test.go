package service

// Models is models, for tests.
var Models = models
