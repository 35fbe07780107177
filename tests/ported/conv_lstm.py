"""Two convolutions and an LSTM that name a sequence, as one writes it for PyTorch."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self, channels=4, hidden=16, classes=3):
        super().__init__()
        self.conv1 = nn.Conv1d(channels, 8, kernel_size=5, padding=2)
        self.conv2 = nn.Conv1d(8, 12, kernel_size=3, stride=2, padding=1)
        self.pool = nn.MaxPool1d(2)
        self.lstm = nn.LSTM(12, hidden, batch_first=True)
        self.head = nn.Linear(3 * hidden, classes)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = F.relu(self.conv2(x))
        x = x.permute(0, 2, 1)  # batch, time, channels
        output, (h, c) = self.lstm(x)
        return self.head(torch.cat([output[:, -1], h[-1], c[-1]], 1))


def train(model, data, steps):
    x, y = torch.tensor(data["x"]), torch.tensor(data["y"])
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    losses = []
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.5)
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        probabilities = F.softmax(model(x), dim=1)
    return losses, probabilities
