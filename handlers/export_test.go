package handlers

// SchemaOf is schemaOf.
var SchemaOf = schemaOf
