"""Retrieval towers trained by several machines, their tables sharded over parameter servers.

TensorFlow's `ParameterServerStrategy` (Li et al. 2014, "Scaling distributed machine learning with
the parameter server"). Three kinds of processes beside the Trainer, which starts them or finds them
by TF_CONFIG (`launch`): servers hold the tables, workers take steps (`python -m
reelflow.model.parameter_servers`), and a coordinator (`coordinator`) hands out the work: files of
some batches each, so that a part whose worker is lost is done by another one, and every rating is
trained on in every epoch, whichever workers there are.
"""
