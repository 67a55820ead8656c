package caller

// What a test outside of the package looks at.
var (
	MetadataOf = metadataOf
	SecondsOf  = secondsOf
	TimeOf     = timeOf
	FlagOf     = flagOf
	ShellQuote = shellQuote
)
