< Era : Text | Export : Text | Node : Text >
