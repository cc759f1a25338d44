-- Who asks.
SELECT currentUser() AS name
