"""The graph of stock components and the tutorials' model that Reelflow is measured against."""
