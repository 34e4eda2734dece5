< Off | Own | Shared : Text >
