< Hold | Send >
