"""From records of the engine to EVE events: fields, community id, flood summaries. Pure."""
